"""The only room that imports Playwright."""
