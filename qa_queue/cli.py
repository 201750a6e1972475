"""The command line: parse, call, render."""


def main() -> None:
    """Run the command line."""
    raise SystemExit(2)
