"""For all tests: errors show jitgrad's own frames, so that a failing test tells where."""

import jitgrad

jitgrad.config.traceback_filtering = "off"
