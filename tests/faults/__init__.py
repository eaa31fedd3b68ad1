"""What stands on the disk after a writer was stopped at any of its steps."""
