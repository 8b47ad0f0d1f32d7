# SPDX-License-Identifier: Apache-2.0
"""A simulated Imagicle Call Recording suite."""
