"""What an upgrade will do, said before it does it: hot, restart or replace, and why."""
