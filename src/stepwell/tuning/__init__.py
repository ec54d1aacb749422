"""`stepwell tune`: schedules measured on this machine, kernel by kernel, and the records of what was best."""
