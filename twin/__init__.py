"""The park model and its live state, roll-ups to grid, zone and park, and alarms. Pure but for its doors."""
