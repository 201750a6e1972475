"""The only room that talks to Supabase."""
