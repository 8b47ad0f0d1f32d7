# SPDX-License-Identifier: Apache-2.0
"""After the call: compares recordings with the times in which they had to be silent."""
