"""The members service's process: `python -m services.members.main`."""

from services.kit.service import main
from services.members.main import build

main("members", build)
