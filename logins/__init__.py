"""Sessions that outlive everything but a logout: `SESSION_ENGINE = "logins.engine"`."""
