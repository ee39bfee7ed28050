"""What people write beside routes: services' policies, mesh-wide settings, upstreams, drains. Knows no state of the mesh."""
