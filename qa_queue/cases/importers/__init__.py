"""Readers of other formats: Chrome DevTools Recorder exports and Cinnamon-QA cases."""
