"""The composition root: builds every part from `Settings`, once. Nothing imports it."""
