# SPDX-License-Identifier: Apache-2.0
"""After the call: recordings held against the times in which they were to be silent."""
