"""The park model, its live state, totals of grid, zone and park, alarms. Pure but for its doors."""
