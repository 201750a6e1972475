"""Pure decisions about finding a changed element again."""
