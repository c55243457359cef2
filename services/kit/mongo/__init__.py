"""MongoDB: two drivers behind one `Database`, transactions, leases, migrations, command keys."""
