"""History to a published model: point-in-time data set, fit, evaluate, report, release."""
