"""Commands about the messages of the operator."""
