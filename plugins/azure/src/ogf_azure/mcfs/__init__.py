"""The stream `mcfs`, a preview: Microsoft Cloud for Sustainability, the sibling of the Emissions Impact Dashboard.

Off unless an instance is configured. `request.py` lists enrolments and months and asks for their pages, `mapping.py`
and `activities.sql` say what becomes of an emission: its metric tons become kilograms.
"""
