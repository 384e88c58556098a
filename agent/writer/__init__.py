"""The only process that writes slots, the boot environment, and asks for a restart; and its face to the agent.

Privileged: `duties` (what is done, and what is refused), `memory` (what is believed), `openslot`, `allowance`,
`server` (sockets). Unprivileged: `client`, `remote`. Between them: `protocol`. See docs/security.md, Privileges.
"""
