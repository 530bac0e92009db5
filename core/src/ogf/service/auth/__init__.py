"""Who asks, and what they may: API keys, JSON web tokens, the dashboard's sessions."""
