# SPDX-License-Identifier: Apache-2.0
"""What the PBX is doing: one supervised AMI link, typed events, channel names, live calls."""
