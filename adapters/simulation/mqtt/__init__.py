"""An embedded MQTT 3.1.1 and 5 server whose application decides what a message means."""
