# SPDX-License-Identifier: Apache-2.0
"""One script a schema; none is changed once it was released."""
