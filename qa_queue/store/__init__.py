"""The database, and the only package that imports supabase-py."""
