"""Sessions that hold on every replica, whatever becomes of Redis: `SESSION_ENGINE = "logins.engine"`."""
