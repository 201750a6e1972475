"""Reports of runs, batches and pytest sessions: one read model, rendered as HTML, JUnit, Allure, JSON or text."""
