# SPDX-License-Identifier: Apache-2.0
"""One supervised connection to the manager interface: connect, log in, send, reconnect."""
