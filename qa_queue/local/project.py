"""Where the files that travel beside the package are: the checkout that the package is installed from."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MIGRATIONS = ROOT / "supabase" / "migrations"
NODE_MODULES = ROOT / "node_modules"
PROCFILE = ROOT / "Procfile"
