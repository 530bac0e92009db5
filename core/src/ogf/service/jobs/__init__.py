"""Syncs that are asked for, stored before they are promised, carried out one by one, and resumed after a crash."""
