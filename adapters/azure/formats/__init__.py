"""Device Update's own formats, read and written. Pure, like `adapters.azure.wire`."""
