"""Online ranking: candidates, features, model, re-ranking, reasons; and the fallbacks."""
