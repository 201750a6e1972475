"""The embedded default: Redis, Supabase Lite and a browser, found or started on this machine."""
