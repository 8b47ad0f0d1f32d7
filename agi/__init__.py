# SPDX-License-Identifier: Apache-2.0
"""How a press comes in from the dialplan: FastAGI server, one-shot script, AGI wire format.

Nothing is imported here: whatever this file pulled in would be dead air on a call, because the
one-shot script passes through it.
"""
