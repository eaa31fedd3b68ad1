"""`python -m ckptkit` is the command `ckptkit`."""


def main() -> None:
    """Run the command line."""
    from ckptkit.cli.app import run

    run()


if __name__ == "__main__":
    main()
