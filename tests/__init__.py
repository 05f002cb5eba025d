"""Tests: unit, integration, contract, load, chaos; each mirrors the source folders."""
