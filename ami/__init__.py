# SPDX-License-Identifier: Apache-2.0
"""One PBX over AMI: a supervised link, typed events, the live calls, recording actions."""
