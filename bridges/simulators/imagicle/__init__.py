# SPDX-License-Identifier: Apache-2.0
"""A simulated Imagicle Call Recording server of one or more nodes."""
