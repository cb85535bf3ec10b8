"""The same verbs at the shell."""
