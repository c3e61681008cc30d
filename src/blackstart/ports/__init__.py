# SPDX-License-Identifier: Apache-2.0
"""What the core asks of the world: protocols, and the values that cross them."""
