"""`python -m infra.cli`, and the script `huitou` beside the README."""

import sys

from infra.cli.main import main

sys.exit(main())
