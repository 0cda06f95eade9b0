// For the browser's console. Used by docs/howto/latency.md and optimistic.md.
htmxRt.simulateLatency(2000);
