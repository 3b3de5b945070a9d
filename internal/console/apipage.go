package console

func (c *Console) apiPage() {}
