"""`python -m demo [BASE_URL]`: load the demo into the academy that the environment's settings describe."""

import sys

from chassis.settings import Settings, SettingsError
from demo.loader import DemoError, load


def main(arguments: list[str]) -> int:
    """The exit code; the base URL is `PUBLIC_URL` unless given. Prints the address of a challenge for everybody."""
    try:
        settings = Settings.from_environment()
        challenge = load(arguments[0] if arguments else settings.public_url, settings)
    except (SettingsError, DemoError) as error:
        print(error, file=sys.stderr)
        return 1
    if challenge is not None:
        print(challenge)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
