# SPDX-License-Identifier: Apache-2.0
"""The HTTP API: presses by programs such as a CRM, the live calls, the journal, events, health.

Nothing here is imported unless `[api]` is enabled: FastAPI takes its time.
"""
