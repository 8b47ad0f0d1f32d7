# SPDX-License-Identifier: Apache-2.0
"""Notify pressers and desktops of verdicts: late tones, lamps, AMI events, the webhook.

The tone in line is `agi`'s; `offrecord.notify.notifier.Notifier` has everything else.
"""
