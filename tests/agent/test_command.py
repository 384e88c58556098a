"""What commands of the configuration are given."""

from agent.command import inherited


def test_a_command_is_told_of_its_own_call_alone():
    """A variable that was set around the agent must not pass for what a release says."""
    around = {"PATH": "/bin", "OTABRIDGE_SETTING_PORT": "/dev/ttyS9", "OTABRIDGE_AGENT_CONFIG": "/etc/agent.toml"}

    assert inherited(around) == {"PATH": "/bin", "OTABRIDGE_AGENT_CONFIG": "/etc/agent.toml"}
