"""The agent: keeps the proxy in step with Consul, and Consul with this node."""
