package console

func (c *Console) carriersPage() {}
