# SPDX-License-Identifier: Apache-2.0
"""What the person hears and sees beside the tone in line.

Late tones, the lamp, and verdicts for desktops: `offrecord.notify.notifier.Teller` is all of them.
"""
