"""Field protocols, one folder each: driver.py, config.py, sample.yaml, README.md, testcases/."""
