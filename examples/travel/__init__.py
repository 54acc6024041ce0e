"""An example business: trips of flight, hotel and car, with approval, card, insurance, ticket."""
